"""Feature maps of a clip, beside its waveform, its spectrogram (`stft`) or its image.

A net and clips come in; maps over time or space go out, by the part `maps`. Imports `results`,
`subject`, `tracing`; no other capability.
"""
