"""DiffuEraser on today's diffusers: its two networks, its windows, and the filler that uses them."""
