-- How sure the detector is; NULL if it does not say.
ALTER TABLE detections ADD COLUMN score REAL;
