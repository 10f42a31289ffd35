-- For Citus, by hand after the migrations: every table with a tenant by its tenant, the rest everywhere.
SELECT create_reference_table('schema_version');
SELECT create_reference_table('orgs');
SELECT create_reference_table('devices');
SELECT create_distributed_table(name, 'org', colocate_with => CASE name WHEN 'clusters' THEN 'none' ELSE 'clusters' END)
FROM unnest(ARRAY['clusters', 'tokens', 'users', 'agents', 'docs', 'views', 'nodes', 'guests', 'samples', 'configs',
	'storages', 'findings', 'events', 'node_minutes', 'storage_minutes', 'guest_slots', 'hours',
	'nanny_objects', 'nanny_agents_of']) WITH ORDINALITY AS t(name, place) ORDER BY place;
