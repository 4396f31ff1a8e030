"""Flow 3: dead letters are sent back, with a ledger row before and after."""
