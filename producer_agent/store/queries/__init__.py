"""What is read from the database: one module a page, each function one question.

Every function takes a read-only :class:`~sqlite_utils.Database` and returns frozen records with
units in their names. No function reads delivery rows where rollups can tell.
"""
