-- SQLite plans for the sizes that these tables come to have, not for empty ones.
SIZES_TO_PLAN_WITH
