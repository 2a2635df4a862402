"""Who has booked which server when, read from what people write into the sheet.

Cells of text come in; `Booking`s and their conflicts go out, and whether a place is booked now.
Imports the servers file and the sheet's interface.
"""
