"""Whether a place is booked by somebody else now. Pure."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

from convscope.servers.bookings.booking import Booking
from convscope.servers.bookings.bookings import say_time
from convscope.servers.servers_file import ServersFile

NO_GPU = -1
"""The processor: what books the whole server books it too, what books a GPU does not."""


def why_booked(
    bookings: Iterable[Booking],
    server: str,
    gpu: int | None,
    login: str,
    file: ServersFile,
    now: float,
) -> str | None:
    """Who else has booked a GPU for now, in words; None where nobody has.

    Args:
        bookings: of any time and server.
        server: its name in the servers file.
        gpu: its index, NO_GPU for the processor; None where nobody knows: any of the server.
        login: ours; a booking of a person with this login is ours, and one under the login itself,
            unless that is the name of a person with other logins.
        file: the people and the time zone.
        now: unix time, s.
    """
    for booking in bookings:
        ours = file.people.get(booking.person, (booking.person,))
        if booking.is_at(now) and booking.is_of(server, gpu) and login not in ours:
            what = server if booking.gpu is None else f"GPU {booking.gpu}"
            until = say_time(booking.end, ZoneInfo(file.time_zone))
            return f"{what} is booked by {booking.person} until {until}"
    return None
