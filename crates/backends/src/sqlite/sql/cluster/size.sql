-- The bytes of the file, and where it lies.
SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size) AS bytes,
       (SELECT file FROM pragma_database_list WHERE name = 'main') AS file
