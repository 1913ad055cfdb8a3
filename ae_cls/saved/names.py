"""Names of the files in the folder of a run, or of a study, by which others find them."""

STATUS, CONFIG, STAGES = "status.json", "config.json", "stages.json"
ENVIRONMENT, PREDICTIONS = "environment.json", "predictions.csv"
MODEL = "model"
"""The folder of what predict needs."""

STUDY, REPORT = "study.json", "report"

REPORT_PAGE = "report.html"
"""In the folder of a report; it is what makes it one."""

RESULTS = "results.csv"
"""The numbers of several runs: the same for the same runs."""

TIMES = "times.csv"
"""How long several runs took."""

DAMAGED = ".damaged-"
"""How the name of a run folder begins that was set aside: it is nobody's run any more."""
