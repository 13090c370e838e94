package import HoldfastModel

/// A command that runs periodically, its frequency and its user. All files of a schedule are made from this value.
package struct Schedule: Sendable, Codable, Equatable {
  /// The parts of the machine that a run can write to.
  package enum Confinement: String, Sendable, Codable {
    /// It can write only to `writable`.
    case strict
    /// It cannot write to the files of the operating system.
    case system
    /// It can write wherever its user can: for commands of the site, whose needs are unknown, and for restores.
    case none
  }

  package var name: ScheduleName
  package var cadence: Cadence
  /// The largest delay of a run.
  package var delay: TimeSpan
  package var program: String
  package var arguments: [String]
  package var environment: [String: String] = [:]
  /// Files with secrets, with the names under which a run finds them.
  package var credentials: [Credential] = []
  /// `nil` for the owner of the schedule.
  package var user: String?
  package var confinement = Confinement.none
  package var writable: [String] = []
  /// The time after which a run is ended.
  package var timeout: TimeSpan?
  /// The command that runs after a failed run.
  package var onFailure: String?
  /// True if it belongs to a user's systemd and not to the machine's.
  package var isOfUser = false
  /// True if the command is a service that runs all the time, as `holdfast watch` is; `nil` if it runs periodically.
  package var isService: Bool?

  /// True if it is a service, which has no cadence.
  package var runsAlways: Bool { isService ?? false }

  package init(_ name: ScheduleName, _ cadence: Cadence, program: String, arguments: [String]) {
    self.name = name
    self.cadence = cadence
    self.delay = cadence.delay
    self.program = program
    self.arguments = arguments
  }

  /// True if systemd and cron accept `text` as a user name.
  package static func isUser(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count) && !"-.".utf8.contains(text.utf8.first ?? 0)
      && text.unicodeScalars.allSatisfy {
        $0.isASCII && ($0.properties.isAlphabetic || "0123456789_-.".unicodeScalars.contains($0))
      }
  }

  /// A file with a secret.
  package struct Credential: Sendable, Codable, Equatable {
    /// Its name as a systemd credential.
    package var name: String
    /// The environment variable that names the file when there is no systemd.
    package var variable: String
    package var file: String

    package init(name: String, variable: String, file: String) {
      self.name = name
      self.variable = variable
      self.file = file
    }
  }
}

/// The name of a schedule: letters, digits, `_` and `-`, because cron ignores files with other names.
package struct ScheduleName: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The name of the unit: `holdfast`, or `holdfast-NAME`.
  package let unit: String

  /// - Parameter text: `nil` for the schedule without a name.
  package init?(_ text: String?) {
    guard let text else {
      unit = "holdfast"
      return
    }
    guard (1...32).contains(text.utf8.count), !text.hasPrefix("-"), text != "failure",
      text.unicodeScalars.allSatisfy({
        $0.isASCII && ($0.properties.isAlphabetic || "0123456789_-".unicodeScalars.contains($0))
      })
    else { return nil }
    unit = "holdfast-" + text
  }

  package var description: String { unit }
}
