-- Working directories that were uploaded for a run: files in the spool folder beside the database.
-- A file without a row here is nobody's and is removed when it is old enough.

create table uploads (
  run_id text primary key references runs (id) on delete cascade,
  -- of the file
  name text not null unique
) strict, without rowid;

-- A run that has ended needs it no more, whoever ended it.
create trigger runs_release_upload after update of status on runs
when new.status in ('success', 'failed', 'skipped') begin
  delete from uploads where run_id = new.id;
end;
