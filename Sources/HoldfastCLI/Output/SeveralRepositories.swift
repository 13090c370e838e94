internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastStore
internal import HoldfastSystem

/// The findings of a command in each of several configured repositories. One that fails does not stop the others.
struct SeveralRepositories<Value> {
  struct Part {
    /// Its name in the configuration.
    let name: String
    let location: String
    let heading: String
    let status: ExitStatus
    let result: Result<Value, any Error>
  }

  let parts: [Part]

  /// The longest time for a command that reads several repositories side by side.
  static var limit: TimeSpan { .minutes(5) }

  /// Reads one after the other.
  /// - Parameter read: returns what was found in a repository, and the exit status of that.
  /// - Throws: `Interrupted` alone.
  init(_ contexts: [RepositoryContext], _ read: (RepositoryContext) throws -> (Value, ExitStatus)) throws {
    parts = try contexts.map { context in try Self.part(context, Result { try read(context) }) }
  }

  /// Reads side by side. A repository that does not answer in time has failed, and is left behind.
  /// - Parameters:
  ///   - limit: `nil` to read one after the other, without a limit.
  ///   - read: returns what was found in a repository, and the exit status of that. It prints no results.
  /// - Throws: `Interrupted` alone.
  init(
    sideBySide contexts: [RepositoryContext], within limit: TimeSpan?, unless cancellation: Cancellation,
    _ read: @escaping @Sendable (RepositoryContext) throws -> (Value, ExitStatus)
  ) throws where Value: Sendable {
    guard let limit else {
      parts = try contexts.map { context in try Self.part(context, Result { try read(context) }) }
      return
    }
    let results = try TimedWork.run(contexts.count, within: limit, unless: cancellation) { try read(contexts[$0]) }
    parts = try contexts.enumerated().map { index, context in
      try Self.part(context, results[index] ?? .failure(Self.silence(limit, of: context)))
    }
  }

  private static func silence(_ limit: TimeSpan, of context: RepositoryContext) -> EngineError {
    EngineError(
      .transient, "\(context.location) did not answer within \(Amount.duration(limit))",
      hint: "See whether it can be reached. With `-r \(context.name)` it has all the time that it needs.")
  }

  private static func part(
    _ context: RepositoryContext, _ result: Result<(Value, ExitStatus), any Error>
  ) throws -> Part {
    func part(_ status: ExitStatus, _ result: Result<Value, any Error>) -> Part {
      Part(
        name: context.name, location: context.location.description, heading: context.heading, status: status,
        result: result)
    }
    switch result {
    case .success(let (value, status)): return part(status, .success(value))
    case .failure(let signal as Interrupted): throw signal
    case .failure(let error): return part(describe(error).exitStatus, .failure(error))
    }
  }

  /// The error of the only repository; `nil` if there are several, or it could be read.
  var onlyFailure: (any Error)? {
    guard parts.count == 1, case .failure(let error) = parts[0].result else { return nil }
    return error
  }

  /// The worst of their exit statuses.
  var status: ExitStatus { ExitStatus.worst(of: parts.map(\.status)) }

  func json<Shown: Encodable>(_ shown: (Value) throws -> Shown) rethrows -> RepositoriesJSON<Shown> {
    RepositoriesJSON(
      try parts.map { part in
        let result: Result<Shown, any Error> =
          switch part.result {
          case .success(let value): .success(try shown(value))
          case .failure(let error): .failure(error)
          }
        return .init(part.name, location: part.location, status: part.status, result)
      })
  }

  /// Prints what was found, below the name of each repository.
  func show(_ lines: (Value) throws -> [String]) rethrows {
    for (index, part) in parts.enumerated() {
      if index > 0 { Console.output("") }
      Console.output(part.heading)
      switch part.result {
      case .success(let value): for line in try lines(value) { Console.output(line.isEmpty ? "" : "  " + line) }
      case .failure(let error): Console.output("  ! \(describe(error).message)")
      }
    }
  }

  /// Prints the errors of those that failed.
  func tellFailures() {
    for part in parts {
      if case .failure(let error) = part.result { Console.error("holdfast: \(part.name): \(describe(error))") }
    }
  }
}

extension RepositoryContext {
  /// Its name in the configuration; where it is not configured, its location.
  var name: String { configured?.name ?? location.description }

  /// The line above what is shown of one of several repositories.
  var heading: String { "\(name): \(location)" }
}
