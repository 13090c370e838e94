package import HoldfastModel

/// The reason why a schedule cannot be installed as it was asked for.
package enum ScheduleError: OperatorError, Equatable {
  case noName(String)
  case noCadence(String)
  case notForCron(String)
  case lineEndInCron
  case serviceInCron
  /// - Parameter isWatch: true if the command is `holdfast watch`, false if `--watch` is given for another one.
  case otherKind(isWatch: Bool)
  /// `--every`, `--delay` or `--timeout` for a service.
  case noPeriod
  case tooLongForCron
  case noCommandLine(String)
  case relativePath(String)
  case foreignFile(Path)
  case notInstalled(ScheduleName)
  case noScheduler
  case cronIsOfRoot
  case noHome
  case otherUser
  case noUser(String)
  /// - Parameters:
  ///   - variable: the variable that contains the password.
  ///   - unit: the service that is to be installed.
  case proxyWithLogin(variable: String, unit: String)

  package var message: String {
    switch self {
    case .noName(let text): "\"\(Path(text))\" is not the name of a schedule"
    case .noCadence(let text): "\"\(Path(text))\" does not say how often"
    case .notForCron(let text): "cron cannot run anything \"\(Path(text))\""
    case .serviceInCron: "cron cannot keep a service running"
    case .otherKind(true): "`holdfast watch` runs all the time, and cannot be started periodically"
    case .otherKind(false): "only `holdfast watch` runs all the time, and --watch is given for another command"
    case .noPeriod: "what runs all the time has no --every, --delay or --timeout"
    case .lineEndInCron: "a line of a crontab cannot hold a line end"
    case .tooLongForCron: "the command is too long for cron"
    case .noCommandLine(let reason): "what shall run is no command line of holdfast: \(reason)"
    case .relativePath(let text): "\(Path(text)) is relative, and what runs by itself starts somewhere else"
    case .foreignFile(let path): "\(path) was not written by `holdfast schedule`"
    case .notInstalled(let name): "no schedule \(name) is installed"
    case .noScheduler: "there is neither systemd nor cron here"
    case .cronIsOfRoot: "only root can write to /etc/cron.d"
    case .noHome: "there is no home directory for units of a user"
    case .otherUser: "only root can say as whom something runs"
    case .noUser(let text): "\"\(Path(text))\" is not the name of a user"
    case .proxyWithLogin(let variable, _):
      "\(variable) has a name and a password in it, and what a schedule contains can be seen by everyone"
    }
  }

  package var hint: String? {
    switch self {
    case .noName: "Take 1 to 32 letters, digits, _ or -, other than failure."
    case .noCadence: "Say 15m, 6h, hourly, daily, \"02:30\", \"Mon,Thu 02:30\", or a calendar event of systemd.time(7)."
    case .notForCron: "Say 15m, 6h, hourly, daily, weekly, monthly, \"02:30\" or \"Mon,Thu 02:30\"."
    case .serviceInCron: "Let whatever keeps services running here start `holdfast watch`, or leave --watch out."
    case .otherKind(true): "Say --watch."
    case .otherKind(false): "Leave --watch out, and say --every."
    case .noPeriod: "Leave them out, or leave --watch out."
    case .lineEndInCron, .tooLongForCron: "Put what shall run into a script or a configuration file."
    case .noCommandLine:
      "Say it after --, as in: holdfast schedule install -- backup /srv/shop --repository /backup --quiet"
    case .relativePath: "Say it from the root on."
    case .foreignFile: "Move it away, or take another --name."
    case .notInstalled: "Run `holdfast schedule show` to see what is."
    case .noScheduler: "Install one of them, or run `holdfast run` by whatever runs things here."
    case .cronIsOfRoot: "Run as root, or write a line of your own with `crontab -e`."
    case .noHome: "Set HOME, or run as root."
    case .otherUser: "Leave --user out, or run as root."
    case .noUser: "Say it as /etc/passwd does."
    case .proxyWithLogin(let variable, let unit):
      "Unset \(variable), install again, and let the run have it from a file of mode 0600: `systemctl edit \(unit)`, with [Service] and EnvironmentFile=FILE."
    }
  }

  package var exitStatus: ExitStatus {
    switch self {
    case .noName, .noCadence, .notForCron, .lineEndInCron, .serviceInCron, .otherKind, .noPeriod,
      .tooLongForCron, .noCommandLine, .relativePath, .otherUser, .noUser, .proxyWithLogin:
      .usage
    case .foreignFile, .notInstalled, .noScheduler, .cronIsOfRoot, .noHome: .failed
    }
  }
  package var scope: ErrorScope { exitStatus == .usage ? .usage : .machine }
}
