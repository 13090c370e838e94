internal import HoldfastCodec
internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastSystem

/// The receivers of notifications: those of the environment; if it names none, those of the configuration.
struct NotificationTargets {
  /// A receiver that cannot be used.
  struct Problem {
    /// Without the address.
    let message: String
    var isOfConfiguration = false
  }

  private(set) var targets: [NotificationTarget] = []
  private(set) var problems: [Problem] = []
  private let machine: MachineContext

  init(_ machine: MachineContext) {
    self.machine = machine
    let events = events()
    let pings = way("HOLDFAST_PING_URL", credential: "holdfast-ping-url") { .ping($0) }
    let webhooks = way("HOLDFAST_WEBHOOK_URL", credential: "holdfast-webhook-url") { .webhook($0) }
    // An empty value means that no command runs.
    let commands = machine.environment.value("HOLDFAST_NOTIFY_COMMAND").map {
      $0.isEmpty ? [] : [NotificationTarget.Way.command($0)]
    }
    targets = [
      ("HOLDFAST_PING_URL", pings), ("HOLDFAST_WEBHOOK_URL", webhooks), ("HOLDFAST_NOTIFY_COMMAND", commands),
    ].flatMap { name, ways in (ways ?? []).map { NotificationTarget($0, name: name, events: events) } }
    guard pings == nil || webhooks == nil || commands == nil else { return }
    for target in configured() {
      let isSaid =
        switch target.way {
        case .ping: pings != nil
        case .webhook: webhooks != nil
        case .command: commands != nil
        }
      if !isSaid { targets.append(target) }
    }
  }

  // MARK: Environment

  private mutating func events() -> Set<Notification.Event>? {
    guard let text = machine.environment.value("HOLDFAST_NOTIFY_ON"), !text.isEmpty else { return nil }
    var events: Set<Notification.Event> = []
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      guard let event = Notification.Event(rawValue: String(word)) else {
        problems.append(Problem(message: "HOLDFAST_NOTIFY_ON does not list start, success, failure or incomplete"))
        return nil
      }
      events.insert(event)
    }
    return events
  }

  /// - Parameters:
  ///   - variable: contains the address. With `_FILE` appended, it names a file that contains the address. An empty
  ///     value means that there is no receiver.
  ///   - credential: the name of such a file as a systemd credential.
  /// - Returns: `nil` when the environment does not say.
  private mutating func way(
    _ variable: String, credential: String, _ make: (HTTPAddress) -> NotificationTarget.Way
  ) -> [NotificationTarget.Way]? {
    do {
      let given = machine.environment.value(variable)
      var text = given ?? ""
      if text.isEmpty {
        let named = machine.environment.value(variable + "_FILE") ?? ""
        let path =
          named.isEmpty ? try machine.keyFiles.credential(credential) : try machine.environment.absolute(named)
        guard let path else { return given == nil ? nil : [] }
        text = try machine.keyFiles.read(.address, path).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
      }
      return try [make(address(text, of: variable))]
    } catch {
      note(error)
      return []
    }
  }

  /// Parses an address. Newlines at the end, which editors add, do not belong to it.
  private func address(_ text: String, of name: String) throws -> HTTPAddress {
    var scalars = text.unicodeScalars
    while let last = scalars.last, " \r\n".unicodeScalars.contains(last) { scalars.removeLast() }
    guard let address = HTTPAddress(String(scalars)) else {
      throw KeyError("\(name) is no address of http or https", hint: "Write it as https://example.org/PLACE.")
    }
    return address
  }

  // MARK: Configuration

  private mutating func configured() -> [NotificationTarget] {
    var found: [NotificationTarget] = []
    do {
      for settings in try machine.loader().load()?.notifications ?? [] {
        do {
          found.append(try target(settings))
        } catch {
          note(error)
        }
      }
    } catch {
      problems.append(
        Problem(
          message: "the configuration cannot be used; `holdfast config check` tells why", isOfConfiguration: true))
    }
    return found
  }

  private mutating func note(_ error: any Error) {
    let message = (error as? Mistake)?.message ?? describe(error).message
    problems.append(Problem(message: message))
  }

  private func target(_ settings: NotificationSettings) throws -> NotificationTarget {
    let way: NotificationTarget.Way
    let name = "the notification \(settings.name)"
    switch settings.target {
    case .ping(let secret): way = .ping(try address(secret.read(machine.host.files), of: name))
    case .webhook(let secret): way = .webhook(try address(secret.read(machine.host.files), of: name))
    case .command(let text): way = .command(text)
    }
    return NotificationTarget(way, name: settings.name, events: settings.events, sources: settings.sources)
  }
}
