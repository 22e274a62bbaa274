"""The single writer: its inbox, its turns, its threads, and what a handler has in hand."""
