internal import HoldfastConfiguration
internal import HoldfastModel
internal import HoldfastOperations
internal import HoldfastReport
internal import HoldfastStore

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

  /// - Parameter read: returns what was found in a repository, and the exit status of that.
  /// - Throws: `Interrupted`, and any error if there is only one repository.
  init(_ contexts: [RepositoryContext], _ read: (RepositoryContext) throws -> (Value, ExitStatus)) throws {
    parts = try contexts.map { context in
      func part(_ status: ExitStatus, _ result: Result<Value, any Error>) -> Part {
        Part(
          name: context.name, location: context.location.description, heading: context.heading, status: status,
          result: result)
      }
      do {
        let (value, status) = try read(context)
        return part(status, .success(value))
      } catch let signal as Interrupted {
        throw signal
      } catch  where contexts.count > 1 {
        return part(describe(error).exitStatus, .failure(error))
      }
    }
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
  fileprivate var name: String { configured?.name ?? location.description }

  /// The line above what is shown of one of several repositories.
  var heading: String { "\(name): \(location)" }
}
