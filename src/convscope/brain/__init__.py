"""Hold a net against the brain: what it answers to stimuli beside what fMRI measured of them.

A study file and runs come in; frozen records, maps and tables go out, kept under RUN/brain/STUDY.

study file -> inputs -> stimuli   -> features (a net's layers, and controls) -> hrf
                     -> responses -> glm, encoding, rsa (by inference) -> results

`records` has what is handed on between the rooms, `settings` all keys of a study file. The rooms
glm, encoding, rsa and inference take and return arrays alone: they need neither a scanner nor a
net. Imports `inside` (for the answers of a net's layers) and what stands below it.
"""
