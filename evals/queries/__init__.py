# drift
from evals.queries import drift as drift
from evals.queries import findings as findings
from evals.queries import quality as quality
