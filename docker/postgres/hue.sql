-- Runs once, on an empty volume: Hue's own database beside the metastore's.
CREATE DATABASE hue;
