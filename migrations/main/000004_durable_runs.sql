-- What a run needs to go on after the death of its executor, and what bounds how often it may.

-- Deaths of executors in a row during which its journal did not grow, and that journal's length at
-- the last claim. A lease that was given up in order expires at 0: no death.
alter table runs add column deaths integer not null default 0;
alter table runs add column claimed_seq integer not null default 0;
-- Of its first claim: a run ends with the program and on the driver that it began with.
alter table runs add column program_version integer;
alter table runs add column driver text;

-- A step that was lost (its machine died) is run once more, as another container.
alter table tasks add column tries integer not null default 1;

alter table pipelines add column version integer not null default 1;

-- Programs that were replaced while a run of theirs was under way.
create table superseded_programs (
  pipeline_id text not null references pipelines (id) on delete cascade,
  version integer not null,
  program text not null,
  source_map text not null,
  primary key (pipeline_id, version)
) strict, without rowid;

create trigger pipelines_keep_program after update of program, source_map on pipelines
when new.program is not old.program or new.source_map is not old.source_map begin
  insert into superseded_programs (pipeline_id, version, program, source_map)
    select old.id, old.version, old.program, old.source_map
    where exists (
      select 1 from runs
      where status = 'running' and pipeline_id = old.id and program_version = old.version)
    or exists (
      select 1 from runs
      where status = 'queued' and pipeline_id = old.id and program_version = old.version);
  update pipelines set version = old.version + 1 where id = old.id;
end;

create trigger runs_release_program after update of status on runs
when new.status in ('success', 'failed', 'skipped') begin
  delete from superseded_programs
  where pipeline_id = new.pipeline_id and version = new.program_version
    and not exists (
      select 1 from runs
      where status = 'running' and pipeline_id = new.pipeline_id
        and program_version = new.program_version)
    and not exists (
      select 1 from runs
      where status = 'queued' and pipeline_id = new.pipeline_id
        and program_version = new.program_version);
end;

-- The secrets that a run has used, as it used them: its output has to be masked also when they were
-- changed or deleted since. Encrypted as the secrets themselves; gone when the run ends.
create table run_secrets (
  run_id text not null references runs (id) on delete cascade,
  key text not null,
  encrypted_value blob not null,
  primary key (run_id, key)
) strict, without rowid;

create trigger runs_forget_secrets after update of status on runs
when new.status in ('success', 'failed', 'skipped') begin
  delete from run_secrets where run_id = new.id;
end;

-- Runs that have ended and whose containers and volumes may still be there. The executor that ends a
-- run removes them at once and takes the row away; rows that stay are worked off by any executor, and
-- so are those of runs that were stopped while they waited for their driver.
create table run_cleanups (
  run_id text primary key,
  driver text not null,
  due_at integer not null
) strict, without rowid;

create index run_cleanups_by_time on run_cleanups (due_at);

create trigger runs_clean_up after update of status on runs
when new.status in ('success', 'failed', 'skipped') and new.driver is not null begin
  insert or ignore into run_cleanups (run_id, driver, due_at)
  values (new.id, new.driver, iif(old.status = 'running', new.completed_at + 30000, 0));
end;
