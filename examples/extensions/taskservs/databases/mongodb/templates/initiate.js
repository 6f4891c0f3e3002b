// Makes the replica set with this server as its first member; does nothing where it exists.
try {
  rs.status();
} catch (error) {
  rs.initiate({ _id: "{{ replica_set }}", members: [{ _id: 0, host: "{{ address }}:{{ port }}" }] });
}
