"""Keras on the clips of an npz file: to be run by a Python that has Keras, which needs not be ours.

    KERAS_BACKEND=tensorflow python peers_keras.py CLIPS.npz '{"base_channels": 32, ...}'

Prints one line of JSON: the best clips a second of several epochs.
"""

import json
import os
import sys
import time

GIVEN = json.loads(sys.argv[2])
THREADS = GIVEN["threads"]
if THREADS:
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        os.environ[name] = str(THREADS)
    if THREADS == 1:
        os.environ["XLA_FLAGS"] = (
            "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
        )
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402 (it reads the environment)
import numpy as np  # noqa: E402


def custom(n_times: int, n_classes: int) -> keras.Model:
    """The family `custom` as its report builds it, pooling behind the convolution."""
    inputs = values = keras.Input((n_times, 1))
    for k in range(GIVEN["conv_layers"]):
        channels = GIVEN["base_channels"] << (k // 4)
        values = keras.layers.Conv1D(channels, GIVEN["kernel"], padding="same")(values)
        values = keras.layers.ReLU()(values)
        if k:
            values = keras.layers.MaxPooling1D(3)(values)
    values = keras.layers.Dropout(GIVEN["dropout"])(keras.layers.Flatten()(values))
    return keras.Model(inputs, keras.layers.Dense(n_classes)(values))


def main() -> None:
    """Time epochs of `fit` over clips in memory, the first left out."""
    stored = np.load(sys.argv[1])
    clips = stored["clips"].astype(np.float32).transpose(0, 2, 1) / 2**15
    labels = stored["labels"]
    if GIVEN["precision"] == "bf16":
        keras.mixed_precision.set_global_policy("mixed_bfloat16")
    net = custom(clips.shape[1], GIVEN["n_classes"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    net.compile(keras.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    now = time.process_time if GIVEN["cpu_time"] else time.perf_counter
    best, spent, goes = 0.0, 0.0, 0
    while goes < 3 or spent < GIVEN["seconds"]:
        start = now()
        net.fit(clips, labels, batch_size=GIVEN["batch_size"], epochs=1, verbose=0)
        took, goes = now() - start, goes + 1
        if goes > 1:
            best, spent = max(best, len(clips) / took), spent + took
    told = {"training": best, "params": net.count_params(), "keras": keras.__version__}
    print(json.dumps({**told, "backend": keras.backend.backend()}))


main()
