-- Whose the things are that are found in an engine or a folder which several servers may share: all
-- that is made for a run of this database carries its id.

create table instance (
  one integer primary key check (one = 1),
  id text not null,
  -- when an executor last began to look for what no run owns
  swept_at integer not null default 0
) strict;

insert into instance (one, id) values (1, lower(hex(randomblob(8))));

-- The pipeline whose settings of the driver lead to what is left; empty: the server's own lead there.
alter table run_cleanups add column pipeline_id text not null default '';

drop trigger runs_clean_up;

create trigger runs_clean_up after update of status on runs
when new.status in ('success', 'failed', 'skipped') and new.driver is not null begin
  insert or ignore into run_cleanups (run_id, driver, due_at, pipeline_id)
  values (
    new.id, new.driver, iif(old.status = 'running', new.completed_at + 30000, 0), new.pipeline_id);
end;

update run_cleanups set pipeline_id = coalesce((select pipeline_id from runs where id = run_id), '');
