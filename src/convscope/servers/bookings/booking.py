"""A booking: who has which server, or GPU of it, and when."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Booking:
    """One row of the lab's bookings.

    Attributes:
        row: in the sheet, from 1, as people see it.
        person: as the sheet names them.
        server: as servers.yaml names it.
        gpu: the index of one GPU; None: the whole server.
        start, end: unix time, s; from start until before end.
    """

    row: int
    person: str
    server: str
    gpu: int | None
    start: float
    end: float

    def is_at(self, time: float) -> bool:
        """Whether it holds at a time."""
        return self.start <= time < self.end

    def is_of(self, server: str, gpu: int | None) -> bool:
        """Whether it holds a GPU of a server; with None, anything of that server."""
        return self.server == server and (self.gpu is None or gpu is None or self.gpu == gpu)
