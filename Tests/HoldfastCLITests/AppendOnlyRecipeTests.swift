import Foundation
import HoldfastModel
import HoldfastTestSupport
import Testing

/// `init --append-only-recipe` prints what makes a host one that can only add: it is tried word for word.
@Suite(.timeLimit(.minutes(30))) struct AppendOnlyRecipeTests {
  private let tool = Tool()

  private func recipe(_ location: String, _ more: [String: String] = [:]) -> String {
    var start = tool.start(["init", "--append-only-recipe", "--repository", location])
    start.environment.merge(more) { $1 }
    let result = RunningProcess(start).wait()
    #expect(result.exitStatus == 0 && result.error == "")
    return result.output
  }

  /// The part that is for the server: from the second number to the third.
  private static func serverPart(_ recipe: String) throws -> String {
    let begin = try #require(recipe.firstRange(of: "# 2. "))
    let end = try #require(recipe.firstRange(of: "# 3. "))
    return String(recipe[begin.lowerBound..<end.lowerBound])
  }

  // MARK: An account

  /// An account as the recipe makes it, at a real sshd: everything but removal works.
  @Test(.requires(.root), .requires(.sshServer)) func anAccountOfTheRecipeCanOnlyAdd() throws {
    TestFiles.setMode(tool.directory.path, 0o755)
    let place = tool.directory.appending("disk/shop's backup")
    let printed = recipe("sftp:shop-backup@127.0.0.1\(place.text)")
    let server = try SSHServer(user: "shop-backup", setUpBy: Self.serverPart(printed))
    let location = server.location(place)
    func run(_ arguments: String...) -> ProcessResult {
      var start = tool.start(arguments)
      start.environment["HOLDFAST_REPOSITORY"] = location
      start.environment["HOLDFAST_SSH_COMMAND"] = server.command()
      return RunningProcess(start).wait()
    }
    let check = run("check")
    #expect(check.exitStatus == 0, "\(check.error)")
    #expect(check.output.contains("\n  no   removes objects for this host\n"))
    #expect(check.output.contains("\n  this host can only add: what is stored stays\n"))
    #expect(run("init", "--unsealed").exitStatus == 0)
    for order in 1...2 {
      TestFiles.write("order \(order)", to: tool.source.appending("\(order)"))
      let backup = run("backup", "source", "--name", "shop", "--full", "--quiet")
      #expect(backup.exitStatus == 0 && backup.error == "", "\(backup.error)")
    }
    #expect(run("verify", "--data").exitStatus == 0)
    #expect(run("restore", "latest", "--target", "restored").exitStatus == 0)
    let kept = TestFiles.allFiles(in: place.appending("sources")).map { ($0, TestFiles.read($0)) }
    let refused = run("prune", "--keep-last", "1", "--grace", "0", "--quiet")
    #expect(refused.exitStatus == 1)
    #expect(
      refused.error.hasSuffix(
        "\nHINT: Log in as a user who may remove there. Where this account can only add, prune on the server, as the user who owns the files.\n"
      ))
    let objects = try #require(kept.first { $0.0.text.hasSuffix("manifest.json") })
    for attempt in ["rm", "chmod 777", "rename"] {
      let client = "sftp -q -b - -S \(tool.directory.appending("ssh").text) -P \(server.port) shop-backup@127.0.0.1"
      TestFiles.write("#!/bin/sh\nexec \(server.command()) \"$@\"\n", to: tool.directory.appending("ssh"))
      TestFiles.setMode(tool.directory.appending("ssh"), 0o755)
      let other = attempt == "rename" ? " \"\(objects.0.text)x\"" : ""
      let line = "\(attempt) \"\(objects.0.text)\"\(other)"
      TestFiles.write(line + "\n", to: tool.directory.appending("attempt"))
      #expect(tool.other("sh", "-c", "\(client) < attempt").exitStatus != 0, "\(attempt)")
    }
    for (path, bytes) in kept { #expect(TestFiles.read(path) == bytes, "\(path)") }
  }

  /// What docs/operations.md shows is what is printed.
  @Test func theManualShowsTheSameAccount() throws {
    let printed = try Self.serverPart(recipe("sftp:backup@nas.example/srv/backup/shop"))
    let manual = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let commands = printed.split(separator: "\n").filter { !$0.hasPrefix("#") }.joined(separator: "\n")
    #expect(manual.contains(commands))
  }

  @Test func rootIsHeldBackByNothing() {
    tool.run("init", "--append-only-recipe", "-r", "sftp:root@nas.example/srv/shop").expectRefusal(
      2, "root cannot be kept from changing what it has stored",
      hint: "Name another user: sftp:USER@nas.example/srv/shop")
  }

  @Test(arguments: ["a b", "*", "a,b", "-x", "Shop", "$(id)"]) func namesThatMeanSomethingAreRefused(_ user: String) {
    tool.run("init", "--append-only-recipe", "-r", "sftp:\(user)@nas.example/srv/shop").expectRefusal(
      2, "\(user) is not a name that useradd and sshd_config take as it is",
      hint: "Name a user of small letters, digits, - and _.")
  }

  @Test(arguments: ["/srv/a\nrm -rf x", "sftp:shop@nas.example/srv/\u{1b}[2J"])
  func whatCannotBePastedIsRefused(_ location: String) {
    let result = tool.run("init", "--append-only-recipe", "-r", location)
    #expect(result.exitStatus == 2 && result.output == "")
    #expect(
      result.error.hasSuffix(
        " has characters that cannot be pasted into a shell\nHINT: Name a location without them.\n"))
  }

  // MARK: A directory

  @Test func aDirectory() {
    #expect(
      recipe("/backup/shop") == """
        # Nobody can remove or change what is in /backup/shop, not even root, until root lifts it.
        # As root on the machine that has the disk, with ext4: once, and then every few minutes by cron, because new
        # directories do not inherit it.
        find /backup/shop -type d -exec chattr +a {} +
        find /backup/shop -type f -not -path '/backup/shop/locks/*' -not -path '/backup/shop/leases/*' -exec chattr +i {} +
        # To prune, while no backup runs, and then the two commands above again:
        #   chattr -R -a -i /backup/shop
        #   find /backup/shop -name '.unfinished-*' -delete
        #   holdfast prune -r /backup/shop

        """)
    #expect(TestFiles.names(in: tool.directory.path) == ["source"], "nothing may be made")
  }

  /// The commands mean the directory, whatever it is called.
  @Test func aDirectoryWithAnOddName() {
    let odd = tool.directory.appending("it's [a] $(pwd) *")
    TestFiles.makeDirectory(odd)
    for name in ["sources/1", "locks/2", "leases/3"] {
      TestFiles.makeDirectory(odd.appending(name).parent ?? .root)
      TestFiles.write("", to: odd.appending(name))
    }
    let commands = recipe(odd.text).split(separator: "\n").filter { !$0.hasPrefix("#") }
    #expect(commands.count == 2)
    let shown = tool.other("sh", "-c", commands.joined(separator: "\n").replacing("chattr", with: "echo"))
    // Directories can be added to, and files that are not locks or leases cannot be changed.
    let words = shown.output.split(separator: "\n").flatMap { $0.split(separator: tool.directory.path.text) }
    let name = "/it's [a] $(pwd) *"
    #expect(
      Set(words.map { $0.hasSuffix(" ") ? String($0.dropLast()) : String($0) })
        == ["+a", name, name + "/sources", name + "/locks", name + "/leases", "+i", name + "/sources/1"])
  }

  // MARK: A bucket

  @Test func aBucket() throws {
    let printed = recipe("s3:https://s3.eu-central-1.amazonaws.com/shop-backup/or$ders")
    #expect(
      printed == """
        # What the user of this host may do: add and read; remove nothing but old numbers of leases and of the journal, which
        # would pile up. With the credentials of who rules over the bucket, and the user's name in place of USER:
        cat > holdfast-policy.json <<'END'
        {
          "Version": "2012-10-17",
          "Statement": [
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::shop-backup"},
            {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"],
             "Resource": "arn:aws:s3:::shop-backup/or${$}ders/*"},
            {"Effect": "Allow", "Action": "s3:DeleteObject",
             "Resource": ["arn:aws:s3:::shop-backup/or${$}ders/leases/*", "arn:aws:s3:::shop-backup/or${$}ders/journal/*"]}
          ]
        }
        END
        aws iam put-user-policy --user-name USER --policy-name holdfast --policy-document file://holdfast-policy.json

        # Who may put may also replace: let the bucket keep what is replaced.
        aws s3api put-bucket-versioning --bucket shop-backup --versioning-configuration Status=Enabled

        """)
  }

  /// What docs/operations.md shows for a host that takes backups, and tries on a server, is what is printed.
  @Test(arguments: [("backup", [:]), ("locked backup", ["HOLDFAST_LOCK": "compliance:30"])])
  func theManualShowsTheSamePolicy(_ role: String, _ more: [String: String]) throws {
    let printed = recipe("s3:https://s3.example.org/BUCKET/PREFIX", more)
    let made = tool.other("sh", "-c", printed.split(separator: "\naws")[0] + "\ncat holdfast-policy.json")
    let policy = try #require(try JSONSerialization.jsonObject(with: Data(made.outputBytes)) as? NSDictionary)
    let manual = String(decoding: TestFiles.read(Tool.root.appending("docs/operations.md")) ?? [], as: UTF8.self)
    let shown = manual.split(separator: "\n**\(role)**:")[1].split(separator: "```json\n")[1].split(separator: "```")[0]
    #expect(try JSONSerialization.jsonObject(with: Data(shown.utf8)) as? NSDictionary == policy)
  }

  /// A bucket with object lock keeps versions already.
  @Test func aBucketWithObjectLock() {
    let printed = recipe("s3:https://s3.example.org/shop-backup/orders", ["HOLDFAST_LOCK": "governance:7"])
    #expect(
      printed.hasSuffix(
        """

        aws iam put-user-policy --user-name USER --policy-name holdfast --policy-document file://holdfast-policy.json

        # The bucket must have had object lock from its beginning, and needs a rule for old versions: docs/operations.md, "A
        # bucket that nobody can empty". On this host, this tries whether it keeps what is locked:
        holdfast check -r s3:https://s3.example.org/shop-backup/orders/

        """), "\(printed)")
    #expect(!printed.contains("put-bucket-versioning"))
  }

  @Test(arguments: [
    ("s3.cn-north-1.amazonaws.com.cn", "arn:aws-cn:s3:::shop"),
    ("s3.us-gov-west-1.amazonaws.com", "arn:aws-us-gov:s3:::shop"),
    ("minio.example:9000", "arn:aws:s3:::shop"),
  ])
  func anotherPartOfTheCloud(_ host: String, _ name: String) throws {
    #expect(recipe("s3:https://\(host)/shop").contains("\"Resource\": \"\(name)\"}"))
    let json = tool.run("init", "--append-only-recipe", "--json", "-r", "s3:https://\(host)/shop")
    let object = try #require(try JSONSerialization.jsonObject(with: Data(json.outputBytes)) as? [String: Any])
    #expect(object["location"] as? String == "s3:https://\(host)/shop/")
    #expect((object["recipe"] as? String)?.contains("\(name)/leases/*") == true)
  }
}
