internal import HoldfastModel

/// What runs by itself, how often, and as what: from this value alone come the files that make it so.
package struct Schedule: Sendable, Codable, Equatable {
  /// How much of the machine a run can reach.
  package enum Confinement: String, Sendable, Codable {
    /// It writes only where `writable` says.
    case strict
    /// It does not write to what belongs to the operating system.
    case system
    /// Whatever its user can reach: for commands of the site's, which may need anything, and for restores.
    case none
  }

  package var name: ScheduleName
  package var cadence: Cadence
  /// By how many seconds a run may come later.
  package var delay: Int64
  package var program: String
  package var arguments: [String]
  package var environment: [String: String] = [:]
  /// Files with secrets, by the names under which a run finds them.
  package var credentials: [Credential] = []
  /// `nil` for the one to whom the schedule belongs.
  package var user: String?
  package var confinement = Confinement.none
  package var writable: [String] = []
  /// After how many seconds a run is ended.
  package var timeout: Int64?
  /// What runs when a run has failed.
  package var onFailure: String?
  /// Whether it belongs to one user's systemd and not to the machine's.
  package var isOfUser = false

  package init(_ name: ScheduleName, _ cadence: Cadence, program: String, arguments: [String]) {
    self.name = name
    self.cadence = cadence
    self.delay = cadence.delaySeconds
    self.program = program
    self.arguments = arguments
  }

  /// Whether systemd and cron take it for the name of a user.
  package static func isUser(_ text: String) -> Bool {
    (1...32).contains(text.utf8.count) && !"-.".utf8.contains(text.utf8.first ?? 0)
      && text.unicodeScalars.allSatisfy {
        $0.isASCII && ($0.properties.isAlphabetic || "0123456789_-.".unicodeScalars.contains($0))
      }
  }

  /// A file with a secret.
  package struct Credential: Sendable, Codable, Equatable {
    /// The name by which systemd hands it on.
    package var name: String
    /// The environment variable that names the file where there is no systemd.
    package var variable: String
    package var file: String

    package init(name: String, variable: String, file: String) {
      self.name = name
      self.variable = variable
      self.file = file
    }
  }
}

/// The name of a schedule: letters, digits, `_` and `-`, because cron passes over files with others.
package struct ScheduleName: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The name of what is installed: `holdfast`, or `holdfast-NAME`.
  package let unit: String

  /// - Parameter text: `nil` for the one without a name.
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
