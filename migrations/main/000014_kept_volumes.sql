-- Volumes of runs that have ended and may be resumed or run again: they stay for a while (--keep-volumes).
-- As long as a run has a row here, its clean-ups leave its volumes; so has a run that was resumed with
-- them, until it ends again. No reference: the row outlives its run by the trigger below.

create table kept_volumes (
  run_id text primary key,
  -- where they are: see run_cleanups
  driver text not null,
  pipeline_id text not null,
  -- the run's last end, and until when they stay unless it goes on
  kept_at integer not null,
  kept_until integer not null,
  -- a JSON array; null: its containers are not removed yet
  names text
) strict, without rowid;

create index kept_volumes_by_time on kept_volumes (kept_until);

create trigger runs_give_up_volumes after delete on runs begin
  insert or ignore into run_cleanups (run_id, driver, pipeline_id, due_at)
    select run_id, driver, pipeline_id, 0 from kept_volumes where run_id = old.id;
  delete from kept_volumes where run_id = old.id;
end;
