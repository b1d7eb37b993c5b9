"""Finds wrong cells of a table without being shown any, proposes what they should hold, and accounts for each change.

A table goes through the steps of ``mend.STEPS`` in order. A step looks at a ``Sheet`` (the table's cells as texts) and
gives ``Change`` records; the account keeps for each cell what it held, what it holds, why, and how sure that is.
"""
