"""How far long work is: bars at a terminal, a line now and then elsewhere."""
