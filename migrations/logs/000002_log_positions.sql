-- How far a step's output is stored, so that another executor can go on without a gap or a repeat.
-- Changes with the chunks, in their transaction.

create table log_positions (
  run_id text not null,
  step integer not null,
  -- which try of the step wrote it, and behind which chunk that begins
  try integer not null,
  first_seq integer not null,
  -- bytes of the driver's streams that the stored chunks stand for; of the console: its lines
  stdout integer not null,
  stderr integer not null,
  -- bytes that were cut off within those
  dropped integer not null,
  -- 1: nothing more comes
  is_over integer not null check (is_over in (0, 1)),
  primary key (run_id, step)
) strict, without rowid;

-- Who may append: the attempt of a run that another executor took over. None: the first.
create table log_attempts (
  run_id text primary key,
  attempt integer not null
) strict, without rowid;
