"""The same net executed faster: channels last, Triton kernels, a CUDA graph, clips on the device.

A net and batches come in; the same answers and gradients go out. Imports `accumulation`.
"""
