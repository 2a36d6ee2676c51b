-- A run that failed may be resumed, and one that ended may be run again from a step: the same run, as
-- its next generation. Its program starts anew, with a journal of its own; what its steps have come to
-- before is kept where that still holds.

alter table runs add column generation integer not null default 1;
-- Steps of earlier generations: this one's are numbered above them, for numbers key the log.
alter table runs add column step_base integer not null default 0;
-- Its working directory was uploaded; the file goes with the end of the run.
alter table runs add column has_upload integer not null default 0 check (has_upload in (0, 1));

-- The journal's effect that it belongs to, in this generation; null: it belongs to an earlier one.
alter table tasks add column effect integer;
alter table tasks add column has_mounts integer not null default 0 check (has_mounts in (0, 1));

create index tasks_by_effect on tasks (run_id, effect) where effect is not null;

-- Results of `runtime.run` that the run's program gets when it asks for the same again: the n-th time
-- (from 0) with these arguments. They do not change while a generation runs, so that every executor
-- that takes it over decides the same.
create table reusable_results (
  run_id text not null references runs (id) on delete cascade,
  args_hash blob not null,
  occurrence integer not null,
  -- JSON, as it was journalled
  value text not null,
  -- tasks.step, and the key of its output
  step integer not null,
  primary key (run_id, args_hash, occurrence)
) strict, without rowid;
