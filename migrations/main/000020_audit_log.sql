-- Who did what to what, from where, and what came of it. Rows are added and, when they are old, removed;
-- none is ever changed.
create table audit_log (
  seq integer primary key autoincrement,
  at integer not null,
  -- as records name people; empty: nobody had signed in
  actor text not null,
  action text not null,
  outcome text not null check (outcome in ('success', 'denied')),
  -- the pipeline that it is about, and the rule that it was under then; it may be gone
  pipeline_id text not null default '',
  rule text not null default '',
  -- the run, gate, token or link that it is about
  target text not null default '',
  address text not null default '',
  request_id text not null default '',
  -- a JSON object
  details text not null default '{}'
) strict;

create index audit_log_by_pipeline on audit_log (pipeline_id, seq);
create index audit_log_by_actor on audit_log (actor, seq);
create index audit_log_by_action on audit_log (action, seq);

create index audit_log_by_rule on audit_log (rule) where rule <> '';

create trigger audit_log_is_append_only before update on audit_log begin
  select raise(abort, 'the audit log is append-only');
end;
