-- Output of steps, append-only, apart from the main database so that a loud step never delays
-- a state change. `id` is the order of commit: a reader that has seen all up to an id misses nothing.

create table log_chunks (
  id integer primary key,
  run_id text not null,
  -- tasks.step; 0 is the run's console
  step integer not null,
  -- position in the step's output, from 1
  seq integer not null,
  stream text not null check (stream in ('stdout', 'stderr')),
  at integer not null,
  bytes blob not null
) strict;

create unique index log_chunks_by_step on log_chunks (run_id, step, seq);
create index log_chunks_by_run on log_chunks (run_id, id);
