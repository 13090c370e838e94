package import ArgumentParser
internal import HoldfastModel

/// The command line: all commands. Each says its name itself: to derive one from its type costs every command line
/// millions of instructions in the runtime of Swift.
package struct Holdfast: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "holdfast",
    abstract: "Back up and restore the directory that holds an order database.",
    discussion: HelpEnd.text(
      "holdfast backup /srv/orders -r /backup/shop", "holdfast restore --target /srv/restored -r /backup/shop"),
    version: Program.nameAndVersion,
    subcommands: [
      SetupCommand.self, Init.self, CheckCommand.self, BackupCommand.self, RunSourcesCommand.self, WatchCommand.self,
      StandbyCommand.self, FailoverCommand.self, SwitchoverCommand.self, FailbackCommand.self, ServingCommand.self,
      ListCommand.self, Show.self, Diff.self, LsCommand.self, FindCommand.self, HistoryCommand.self,
      RestoreCommand.self, PatroniCommand.self, DrillCommand.self, CatCommand.self, MountCommand.self,
      QueryCommand.self, BisectCommand.self,
      VerifyCommand.self, MergeCommand.self, PruneCommand.self, UndeleteCommand.self, PinCommand.self,
      UnpinCommand.self, TagCommand.self, AcceptCommand.self, StatusCommand.self, ReportCommand.self,
      SyncCommand.self, ScrubCommand.self, TargetCommand.self, SourceCommand.self,
      KeyCommand.self, WALCommand.self,
      ScheduleCommand.self, ConfigCommand.self, CompletionsCommand.self,
    ])

  package init() {}
}
