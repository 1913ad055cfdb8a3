"""Jobs that Optuna proposes: what may be drawn, the trials, the winner."""
