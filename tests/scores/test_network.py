"""Settings as people write them."""

from convscope.data.config import SpectrogramConfig
from convscope.scores.network import with_presets


def test_the_reports_spectrogram_goes_by_its_name_and_any_other_by_its_keys() -> None:
    reports = SpectrogramConfig().model_dump(mode="json")
    other = {**reports, "window": 400}
    for spectrogram, shown in ((reports, "reports"), (other, other), (None, None)):
        config = {"data": {"kind": "words", "spectrogram": spectrogram}, "model": {}}
        assert with_presets(config)["data"]["spectrogram"] == shown
        assert config["data"] == {"kind": "words", "spectrogram": spectrogram}, "left as it was"
