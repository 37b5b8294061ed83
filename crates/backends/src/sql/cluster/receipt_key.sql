-- The key by which receipts are signed.
SELECT receipt_key FROM cluster
