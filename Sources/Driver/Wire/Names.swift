import Storage

// Where the protocol and the storage layer use one word, the bare word is the storage layer's value that was checked;
// the message is spelled `CSI.Volume`.
typealias CapacityRange = Storage.CapacityRange
typealias Snapshot = Storage.Snapshot
typealias Timestamp = Storage.Timestamp
typealias Topology = Storage.Topology
typealias TopologyRequirement = Storage.TopologyRequirement
typealias Volume = Storage.Volume
typealias VolumeCapability = Storage.VolumeCapability
typealias VolumeCondition = Storage.VolumeCondition
