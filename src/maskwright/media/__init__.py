"""Every outside byte comes in and goes out here."""
