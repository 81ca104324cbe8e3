"""The kinds of jobs, a module each; `parts` has the options that several share, and `kinds` tells them apart."""
