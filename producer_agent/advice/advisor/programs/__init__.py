"""The parts of the programs that the advisor writes, and what puts one together.

Each part is a module that is linted, typed and tested like any other; a program is the parts
it needs in one file, with the settings of the advice in place of `settings`.
"""
