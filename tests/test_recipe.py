"""A recipe and its assignments become one validated cell, or a line that says what to mend."""

from pathlib import Path

import pytest
import yaml

from convscope.errors import UserError
from convscope.recipes import has_top_level_comma, read_cell, split_at_commas
from convscope.sweeps.planning.grid import read_sweep
from convscope.training.cell import make_cell

RECIPE = """
data: {kind: words, words: [yes, no, "on", off]}
model: {family: custom, base_channels: 8}
train: {learning_rate: 1e-3, epochs: 5}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def test_words_that_yaml_1_1_takes_for_booleans_stay_words(recipe: Path) -> None:
    assert read_cell(recipe).data.names == ("yes", "no", "on", "off")


def test_an_exponent_without_a_point_is_a_number(recipe: Path) -> None:
    assert read_cell(recipe).train.learning_rate == 0.001


def test_an_assignment_lies_over_the_recipe(recipe: Path) -> None:
    cell = read_cell(recipe, ["train.epochs=7", "data.words=[zero, one]", "model.batch_norm=true"])
    assert (cell.train.epochs, cell.data.names) == (7, ("zero", "one"))


def test_an_assignment_reaches_into_a_group_of_keys(recipe: Path) -> None:
    cell = read_cell(recipe, ["train.augment.noise=0.5", "train.augment.gain_db=3"])
    assert (cell.train.augment.noise, cell.train.augment.gain_db) == (0.5, 3.0)


def test_a_config_written_down_is_the_same_cell(recipe: Path) -> None:
    cell = read_cell(recipe)
    assert make_cell(yaml.safe_load(yaml.safe_dump(cell.config))) == cell


@pytest.mark.parametrize(
    "assignment", ["data.folder=/elsewhere", "train.device=cpu", "train.threads=3"]
)
def test_where_and_how_do_not_change_the_name(recipe: Path, assignment: str) -> None:
    assert read_cell(recipe, [assignment]).name == read_cell(recipe).name


@pytest.mark.parametrize(
    "assignment",
    ["train.seed=1", "data.rate_hz=8000", "model.dropout=0.1", "data.words=[yes, no, off, up]"],
)
def test_what_decides_the_result_changes_the_name(recipe: Path, assignment: str) -> None:
    assert read_cell(recipe, [assignment]).name != read_cell(recipe).name


def test_a_default_that_is_written_out_is_the_same_cell(recipe: Path) -> None:
    assert read_cell(recipe, ["train.batch_size=256"]).name == read_cell(recipe).name


def test_a_preset_is_dissolved_into_its_values(recipe: Path) -> None:
    train = read_cell(recipe, ["train.preset=modern", "train.weight_decay=0.5"]).train
    assert (train.optimizer, train.weight_decay) == ("adamw", 0.5)


def test_the_modern_preset_mirrors_no_digits() -> None:
    sections = {"data": {"kind": "mnist"}, "model": {"family": "mnist"}}
    augment = make_cell({**sections, "train": {"preset": "modern"}}).train.augment
    assert (augment.flip, augment.crop_pixels) == (False, 2)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("train.epochs", "train.epochs: expected section.key=value such as train.epochs=5"),
        ("epochs=5", "epochs=5: expected section.key=value such as train.epochs=5"),
        ("trian.epochs=5", r"trian is not a section of a recipe \(did you mean 'train'\?\)"),
        ("train.epoch=5", r"train.epoch is not a known key \(did you mean 'epochs'\?\); known: "),
        ("train.epochs=many", r"train.epochs: expected integer.*, got 'many'"),
        ("train.epochs=0", "train.epochs: expected greater than or equal to 1, got 0"),
        ("train.preset=best", "train.preset: expected one of reports, modern, got 'best'"),
        ("train.optimizer=adm", r"train.optimizer: expected 'adam', 'adamw' or 'sgd', got 'adm'"),
        ("train.augment.nois=1", r"train.augment.nois is not a known key \(did you mean 'noise'"),
        ("train.augment.flip=true", "train.augment.flip is for images, but the data are sounds"),
        ("data.kind=word", "data.kind: expected one of words, sounds, manifest, images, mnist"),
        ("data.rate_hz=-1", "data.rate_hz: expected greater than or equal to 100, got -1"),
        ("train.seed=0123", "train.seed: expected integer, got '0123'$"),
        ("train.epochs=1_000", "train.epochs: expected integer, got '1_000'$"),
        ("train.epochs=0x10", "train.epochs: expected integer, got '0x10'$"),
        ("data.seconds=1:30", "data.seconds: expected number, got '1:30'$"),
        ("data.folder=1e3", """data.folder: .*, got 1000.0: quote it, data.folder='"TEXT"'"""),
        ("data.words=[a, b] # c", "expected a YAML value after =, .* a comment, '# c'"),
        ("data.words=zero", "data.words: .*got 'zero'"),
        ("data.words=[1, 2]", "data.words: expected names, got 1: quote words"),
        ("data.words=[a, a]", "data.words: a stands there twice"),
        ("model.family=custm", r"model.family: expected a family, got 'custm' \(did you mean"),
        ("train.epochs=5,6", "is a grid .* use convscope sweep, brackets for a list, or quotes"),
        ("train.epochs=[5", "expected a YAML value after ="),
        ("data.folder=/a,b", """ or quotes for text with a comma, data.folder='"/a,b"'"""),
        ("data.kind=[a]", r"data.kind: expected one of words, .*, got \['a'\]"),
        ("data.kind={a: 1}", r"data.kind: expected one of words, .*, got \{'a': 1\}"),
        ("train.preset=[a]", r"train.preset: expected one of reports, modern, got \['a'\]"),
        ("train.preset=null", "train.preset: expected one of reports, modern, got nothing"),
        ("train.epochs=1.5", r"train.epochs: expected integer, got 1\.5$"),
        ("train.augment.flip=2", r"train.augment.flip: expected boolean, got 2$"),
        ("train.epochs=true", "train.epochs: expected integer, got True"),
        ("train.threads=true", "train.threads: expected integer, got True"),
        ("train.learning_rate=false", "train.learning_rate: expected number, got False"),
        ('train.epochs="5"', "train.epochs: expected integer, got '5'"),
        ("train.augment=3", "train.augment: expected keys and values, got 3"),
        ("data.1=3", r"data.1 is not a known key; known: folder"),
        (
            "data.folder=123",
            """data.folder: expected string, got 123: quote it, data.folder='"123"'""",
        ),
        ("train={epochs: 0}", "expected section.key=value such as train.epochs=5"),
        ("train.augment={noise: 1, noise: 0}", "the key noise stands there twice: keep one"),
    ],
)
def test_a_wrong_assignment_is_named_with_what_to_do(
    recipe: Path, assignment: str, message: str
) -> None:
    with pytest.raises(UserError, match=message) as error:
        read_cell(recipe, [assignment])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [", "is not YAML: line 1: expected the node content, but found '<stream end>'"),
        ("data: {}\nmodel: 'a", "is not YAML: line 2: found unexpected end of stream"),
        ("data: {}\nmodel: {}\ndata: {}", "line 3: the key data stands there twice: keep one"),
        ("data:\n  {kind: words, kind: words}", "line 2: the key kind stands there twice"),
        ("data: {kind: words, 1: 2}", r"data.1 is not a known key; known: folder"),
        ("just words", "expected the sections data, model, train, grid, sweep, got 'just words'"),
        ("data:", "data: expected keys and values, got nothing"),
        ("", "expected the sections data, model, train, grid, sweep, got nothing"),
        ("data: 3", "data: expected keys and values, got 3"),
        ("date: {}", r"date is not a section of a recipe \(did you mean 'data'\?\)"),
        ("data: {}", "data.kind: expected one of .*, got nothing"),
        (RECIPE + "grid: {product: {model.dropout: [0.25, 0.5]}}", "is a grid .* convscope sweep"),
    ],
)
def test_a_wrong_recipe_is_named_with_what_to_do(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        read_cell(path)
    assert "\n" not in str(error.value)


def test_of_several_mistakes_the_first_is_told_and_how_many_there_are(recipe: Path) -> None:
    wrong = ["train.seed=-1", "train.epochs=0", "train.batch_size=0"]
    with pytest.raises(UserError) as error:
        read_cell(recipe, wrong)
    expected = "train.seed: expected greater than or equal to 0, got -1 (and 2 more)"
    assert str(error.value) == expected


def test_a_date_is_text_as_it_can_be_a_folder(recipe: Path) -> None:
    assert read_cell(recipe, ["data.folder=2024-01-31"]).data.folder == "2024-01-31"


@pytest.mark.parametrize("folder", ["set #2", "010", "a: b", "*", "1:30", "!new"])
def test_a_folder_on_the_command_line_is_the_one_that_was_typed(recipe: Path, folder: str) -> None:
    assert read_cell(recipe, [f"data.folder={folder}"]).data.folder == folder


def test_a_recipe_reads_numbers_as_the_command_line_does(recipe: Path) -> None:
    recipe.write_text(RECIPE + "grid: {seeds: 010}\n")
    with pytest.raises(UserError, match="'010'"):
        read_sweep([recipe])
    recipe.write_text("data: {kind: words, seconds: 1:30}\nmodel: {family: custom}\n")
    with pytest.raises(UserError, match=r"data\.seconds: expected number, got '1:30'"):
        read_cell(recipe)


def test_quotes_keep_a_comma_in_a_path(recipe: Path) -> None:
    assert read_cell(recipe, ['data.folder="/a,b"']).data.folder == "/a,b"


def test_a_whole_number_is_good_where_any_number_is(recipe: Path) -> None:
    assert read_cell(recipe, ["train.learning_rate=1"]).train.learning_rate == 1.0


def test_a_mapping_merged_by_an_anchor_is_no_duplicate(tmp_path: Path) -> None:
    path = tmp_path / "anchor.yaml"
    path.write_text(
        "data: {kind: words}\n"
        "model: {family: custom}\n"
        "train: {augment: {<<: {noise: 0.1, mixup: 0.2}, noise: 0.5}}\n"
    )
    augment = read_cell(path).train.augment
    assert (augment.noise, augment.mixup) == (0.5, 0.2)


@pytest.mark.parametrize(
    ("content", "message"), [(None, r"cannot be read \(Is a dir"), (b"\xff", "is no text in UTF-8")]
)
def test_an_unreadable_recipe_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(
        UserError, match=rf"wrong\.yaml {message}.*: expected a recipe, a YAML file"
    ):
        read_cell(path)


def test_a_missing_recipe_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.yaml: no such recipe"):
        read_cell(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,2", True),
        ("[1,2]", False),
        ("[1,2],[3]", True),
        ('"a,b"', False),
        ("{a: 1, b: 2}", False),
    ],
)
def test_a_comma_outside_brackets_and_quotes_makes_a_grid(text: str, expected: bool) -> None:
    assert has_top_level_comma(text) is expected


def test_how_a_sweep_is_trained_is_passed_over(recipe: Path) -> None:
    plain = read_cell(recipe)
    recipe.write_text(RECIPE + "sweep: {attempts: 5}\n")
    assert read_cell(recipe, ["sweep.cell_seconds=60"]) == plain


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2", ["1", "2"]),
        ("[1,2],[3]", ["[1,2]", "[3]"]),
        ("""'a,b',"c,d" """, ["'a,b'", '"c,d" ']),
        ("{a: [1, 2], b: 3},", ["{a: [1, 2], b: 3}", ""]),
        ("", [""]),
    ],
)
def test_a_grid_is_split_at_the_commas_outside_brackets_and_quotes(
    text: str, parts: list[str]
) -> None:
    assert split_at_commas(text) == parts
