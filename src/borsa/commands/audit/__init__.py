"""What `borsa verify` checks: one file for each group of invariants.

The auditors read raw tables and logs, and count for themselves: nothing here asks the code that wrote them, except the
replay, which says so. `check.py` is what a check is, `moment.py` the moment that all of them look at, `witness.py` the
books as the two logs tell of them.
"""
