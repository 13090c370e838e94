/// The exit status of a run. The numbers are a promise to cron, CI and monitoring: they never change their meaning.
package enum ExitStatus: Int32, CaseIterable, Sendable {
  case done = 0
  case failed = 1
  case usage = 2
  case incomplete = 3
  case noRepository = 10
  case locked = 11
  case wrongKey = 12
  case notServing = 13
  case serviceAnswers = 14
  case servingUnknown = 15
  case repairableDamage = 20
  case dataLoss = 21
  case drillFailed = 22
  case objectiveMissed = 30
  case fetchFailed = 126
  case interrupted = 130

  /// The meaning of the status, as the help of every command shows it.
  package var meaning: String {
    switch self {
    case .done: "done, and durable"
    case .failed: "failed; nothing was committed, or what was asked could not be done"
    case .usage: "the command line is wrong"
    case .incomplete:
      "done, but incomplete (files are named), or the source looks damaged"
    case .noRepository: "there is no repository at that place"
    case .locked: "another run holds the lock"
    case .wrongKey: "wrong key"
    case .notServing: "another host serves the source"
    case .serviceAnswers: "no failover: the service answers, or its host is alive"
    case .servingUnknown: "this host is to serve, and it is not known if it does; run it again"
    case .repairableDamage: "damage that costs no snapshot any data"
    case .dataLoss: "damage that costs data"
    case .drillFailed: "a drill failed: what was restored is not what it should be"
    case .objectiveMissed: "an objective is missed, a source is CRITICAL, or `check` found a failure"
    case .fetchFailed: "`wal fetch` failed: anything but a file that the archive does not have"
    case .interrupted: "interrupted by a signal before it was done; run the same command again"
    }
  }
}

/// Orders statuses from the mildest to the worst, which is not the order of their numbers. If several parts of a run
/// end, the process ends with the worst of their statuses.
extension ExitStatus: Comparable {
  private var severity: Int {
    switch self {
    case .done: 0
    case .repairableDamage: 1
    case .incomplete: 2
    case .objectiveMissed: 3
    case .locked: 4
    case .notServing: 5
    case .usage: 6
    case .wrongKey: 7
    case .noRepository: 8
    case .serviceAnswers: 9
    case .failed: 10
    case .fetchFailed: 11
    case .drillFailed: 12
    case .servingUnknown: 13
    case .dataLoss: 14
    case .interrupted: 15
    }
  }

  package static func < (left: ExitStatus, right: ExitStatus) -> Bool { left.severity < right.severity }

  /// The worst status; `done` when there is none.
  package static func worst(of statuses: some Sequence<ExitStatus>) -> ExitStatus { statuses.max() ?? .done }
}
