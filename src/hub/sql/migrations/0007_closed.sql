-- Who is open, or was closed later than a document: found without going through all that ever were.
CREATE INDEX guests_closed ON guests (org, cluster, closed_at, vmid);
SIZES_OF_CLOSED
