-- Who resumed a run, or had it done again from a step, the last time: as triggered_by says who began it.

alter table runs add column restarted_at integer;
alter table runs add column restarted_by text not null default '';
