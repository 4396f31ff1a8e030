"""From a failing cause to what to do, with live facts."""
