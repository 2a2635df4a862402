"""The section on confusions: of the best two networks side by side, or of the only one."""

from collections.abc import Sequence

import numpy as np

from convscope.errors import UserError
from convscope.names import visible
from convscope.report.document.blocks import Block, Numbers, Picture, Sentence
from convscope.report.document.catalogue import Catalogue
from convscope.report.document.figures import two_confusions_figure
from convscope.report.document.groups import Group, named
from convscope.report.document.pairs import answers_of, overall, worst_pairs
from convscope.report.document.sentences import count_text, mcnemar_sentence, pair_sentence
from convscope.scores.metrics import worst_confusions
from convscope.types import ConfusionMatrix

N_CONFUSIONS = 3


def confusions(say: Catalogue, group: Group, number: int) -> list[Block]:
    """What the best net confuses, beside the best of the second network where there is one."""
    if len(group.nets) < 2:
        return _own_confusions(say, group, number)
    runs = [group.runs[group.of_net(net)[0].run] for net in group.nets[:2]]
    try:
        answers = answers_of(runs[0], runs[1])
    except UserError:
        only = Sentence(say.say("sentence.no_shared_clips"))
        return [only, *_own_confusions(say, group, number)]
    one, two = (named(net, group.nets) for net in group.nets[:2])
    pairs = worst_pairs(answers)
    texts = [mcnemar_sentence(say, overall(answers), one, two)]
    texts += [pair_sentence(say, pair, one, two, len(pairs)) for pair in pairs]
    if not pairs:
        texts.append(say.say("sentence.no_confusion"))
    classes = [visible(name) for name in answers.classes]
    picture = Picture(
        name=f"confusions_{number}",
        caption=say.say("caption.confusions"),
        alt=say.say("alt.confusions", one=one, two=two),
        content=two_confusions_figure(answers.confusions, (one, two), classes),
        numbers=_matrix_numbers(answers.confusions, (one, two), classes),
    )
    return [*map(Sentence, texts), picture]


def _own_confusions(say: Catalogue, group: Group, number: int) -> list[Block]:
    matrix = np.array(group.best.scores["confusion"], dtype=np.int64)
    net, classes = named(group.rows[0], group.nets), list(group.classes)
    worst = worst_confusions(matrix, classes, N_CONFUSIONS)
    support = dict(zip(classes, matrix.sum(axis=1).tolist(), strict=True))
    texts = [
        say.say(
            "sentence.one_pair",
            net=net,
            actual=each.actual,
            predicted=each.predicted,
            count=count_text(each.count),
            n=count_text(support[each.actual]),
            share=f"{each.share:.1%}",
        )
        for each in worst
    ] or [say.say("sentence.no_confusion")]
    picture = Picture(
        name=f"confusion_{number}",
        caption=say.say("caption.confusion", net=net),
        alt=say.say("alt.confusion", net=net),
        content=two_confusions_figure([matrix], [net], classes),
        numbers=_matrix_numbers([matrix], [net], classes),
    )
    return [*map(Sentence, texts), picture]


def _matrix_numbers(
    matrices: Sequence[ConfusionMatrix], names: Sequence[str], classes: Sequence[str]
) -> Numbers:
    rows = tuple(
        (name, actual, *row)
        for name, matrix in zip(names, matrices, strict=True)
        for actual, row in zip(classes, matrix.tolist(), strict=True)
    )
    return Numbers(("net", "actual", *classes), rows)
