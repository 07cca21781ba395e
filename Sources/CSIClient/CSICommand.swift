import ArgumentParser

/// `stowage csi`: a client for any CSI socket.
package struct CSICommand: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "csi", abstract: "Talk to any CSI driver over its socket.",
    discussion: """
      Every RPC of CSI is a sub-command. The driver is found by --endpoint or CSI_ENDPOINT; answers are tables, or JSON \
      with -o json.

      A volume's life on one node:
        export CSI_ENDPOINT=unix:///run/csi/csi.sock
        stowage csi create-volume data --size 1GiB --fs ext4
        mkdir -p /run/demo/stage
        stowage csi stage data --staging /run/demo/stage --fs ext4
        stowage csi publish data --staging /run/demo/stage --target /run/demo/t --fs ext4
        stowage csi stats data --path /run/demo/data
        stowage csi unpublish data --target /run/demo/data
        stowage csi unstage data --staging /run/demo/stage
        stowage csi delete-volume data

      Exit status: 0 done; 1 the driver refused ("CODE: message" on stderr); 2 wrong arguments; 3 nobody answers at the \
      endpoint.
      """,
    subcommands: [Call.self],
    groupedSubcommands: groups)

  static let groups: [CommandGroup] = [
    CommandGroup(name: "Identity", subcommands: [PluginInfo.self, PluginCapabilities.self, Probe.self]),
    CommandGroup(
      name: "Volumes (Controller)",
      subcommands: [
        CreateVolume.self, DeleteVolume.self, ListVolumes.self, GetVolume.self, ExpandVolume.self, ModifyVolume.self,
        ValidateVolume.self, Capacity.self, ControllerPublish.self, ControllerUnpublish.self,
        ControllerCapabilities.self, VolumeHealthCommand.self, ListVolumeHealth.self,
      ]),
    CommandGroup(
      name: "Snapshots (Controller)",
      subcommands: [CreateSnapshot.self, DeleteSnapshot.self, ListSnapshots.self, GetSnapshot.self]),
    CommandGroup(
      name: "Group snapshots (GroupController)",
      subcommands: [
        CreateGroupSnapshot.self, DeleteGroupSnapshot.self, GetGroupSnapshot.self, GroupCapabilities.self,
      ]),
    CommandGroup(
      name: "Blocks of snapshots (SnapshotMetadata)", subcommands: [AllocatedBlocks.self, ChangedBlocks.self]),
    CommandGroup(
      name: "Node",
      subcommands: [
        Stage.self, Unstage.self, Publish.self, Unpublish.self, Stats.self, NodeExpand.self, NodeInfo.self,
        NodeCapabilities.self, NodeVolumeHealth.self, NodeStorageHealth.self,
      ]),
  ]

  package init() {}
}
