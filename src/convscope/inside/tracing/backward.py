"""Gradients through a net that may not let them pass."""

import torch
from torch import Tensor, nn

from convscope.errors import UserError, in_one_line


class BackwardFailed(UserError):
    """A backward pass through a net that raises: a mistake in the net, not a limit of a method."""


def sent_back(model: nn.Module, values: Tensor, by: Tensor, start: Tensor | None = None) -> Tensor:
    """Σ start · ∂ values / ∂ by, of what a net has answered; start is 1 unless given.

    Args:
        model: whose graph it is, for the words of an error.
        values: what is differentiated.
        by: what they are differentiated by.
        start: as `values`; None: they are one number.

    Raises:
        BackwardFailed: where an operation on the way back raises.
        UserError: where no gradient comes back.
    """
    name, gradient = type(model).__name__, None
    if values.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(values, by, start, allow_unused=True)
        except UserError:
            raise
        except Exception as error:
            raise BackwardFailed(
                f"{name}: its backward pass failed with {in_one_line(error)}"
            ) from error
    if gradient is None:
        raise UserError(
            f"{name}: no gradient comes back to the clip: does the net detach it, or compute it "
            "without torch?"
        )
    return gradient
