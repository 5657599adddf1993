import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Paths;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.Set;

import com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.metastore.DefaultMetaStoreFilterHookImpl;
import org.apache.hadoop.hive.metastore.api.Database;
import org.apache.hadoop.hive.metastore.api.NoSuchObjectException;
import org.apache.hadoop.hive.metastore.api.Partition;
import org.apache.hadoop.hive.metastore.api.Table;
import org.apache.hadoop.hive.metastore.api.TableMeta;
import org.apache.hadoop.hive.ql.hooks.QueryLifeTimeHookContext;
import org.apache.hadoop.hive.ql.hooks.QueryLifeTimeHookWithParseHooks;
import org.apache.hadoop.hive.ql.parse.ASTNode;
import org.apache.hadoop.hive.ql.parse.AbstractSemanticAnalyzerHook;
import org.apache.hadoop.hive.ql.parse.BaseSemanticAnalyzer;
import org.apache.hadoop.hive.ql.parse.HiveParser;
import org.apache.hadoop.hive.ql.parse.HiveSemanticAnalyzerHookContext;
import org.apache.hadoop.hive.ql.parse.SemanticException;
import org.apache.hadoop.hive.ql.processors.SetProcessor;
import org.apache.hadoop.hive.ql.security.SessionStateUserAuthenticator;
import org.apache.hadoop.hive.ql.session.SessionState;

/**
 * What a customer may say at the customers' door, which is a HiveServer2: queries of the tables of its own database.
 *
 * HiveServer2 hands every statement to this hook when it is parsed and nothing of it is looked up yet. Each node of the
 * parsed tree, each function and each table must be on a list; whatever is not, is refused. The own database of a user
 * has the name of a role that the user is in. SQL-standard authorization checks the same statement once more.
 *
 * This is compiled by Janino (stack/customers_door.py), which knows no generics, hence the casts.
 */
public class CustomersDoor extends AbstractSemanticAnalyzerHook {
  /** Properties of hiveserver2-site.xml, which no session can set. */
  static final String ADMIN = "warehouse.customers.admin";
  static final String FUNCTIONS = "warehouse.customers.functions";
  static final String LOG = "warehouse.customers.log";

  /** What a query may consist of: the names that Hive's grammar gives the nodes of its tree. */
  static final Set QUERY = words(
      "TOK_QUERY TOK_FROM TOK_INSERT TOK_DESTINATION TOK_DIR TOK_TMP_FILE TOK_SELECT TOK_SELECTDI TOK_SELEXPR"
      + " TOK_EXPLIST TOK_WHERE TOK_GROUPBY TOK_ROLLUP_GROUPBY TOK_CUBE_GROUPBY TOK_GROUPING_SETS"
      + " TOK_GROUPING_SETS_EXPRESSION"
      + " TOK_HAVING TOK_QUALIFY TOK_ORDERBY TOK_SORTBY TOK_DISTRIBUTEBY TOK_CLUSTERBY TOK_TABSORTCOLNAMEASC"
      + " TOK_TABSORTCOLNAMEDESC TOK_NULLS_FIRST TOK_NULLS_LAST TOK_LIMIT TOK_OFFSET"
      + " TOK_UNIONALL TOK_UNIONDISTINCT TOK_INTERSECTALL TOK_INTERSECTDISTINCT TOK_EXCEPTALL TOK_EXCEPTDISTINCT"
      + " TOK_CTE TOK_SUBQUERY TOK_SUBQUERY_EXPR TOK_SUBQUERY_OP TOK_SUBQUERY_OP_NOTEXISTS TOK_SUBQUERY_OP_NOTIN"
      + " TOK_TABREF TOK_TABALIAS TOK_ALLCOLREF TOK_TABLE_OR_COL TOK_TABCOLNAME TOK_TABLESPLITSAMPLE"
      + " TOK_TABLEBUCKETSAMPLE TOK_ROWCOUNT TOK_PERCENT TOK_JOIN TOK_LEFTOUTERJOIN TOK_RIGHTOUTERJOIN"
      + " TOK_FULLOUTERJOIN TOK_CROSSJOIN TOK_LEFTSEMIJOIN TOK_LEFTANTISEMIJOIN TOK_LATERAL_VIEW TOK_LATERAL_VIEW_OUTER"
      + " TOK_WINDOWSPEC TOK_WINDOWDEF TOK_PARTITIONINGSPEC TOK_WINDOWRANGE TOK_WINDOWVALUES TOK_WITHIN_GROUP"
      + " TOK_IGNORE_NULLS TOK_RESPECT_NULLS TOK_NULL TOK_TRUE TOK_FALSE TOK_DATELITERAL TOK_TIMESTAMPLITERAL"
      + " TOK_INTERVAL_YEAR_LITERAL TOK_INTERVAL_MONTH_LITERAL TOK_INTERVAL_DAY_LITERAL TOK_INTERVAL_HOUR_LITERAL"
      + " TOK_INTERVAL_MINUTE_LITERAL TOK_INTERVAL_SECOND_LITERAL TOK_INTERVAL_YEAR_MONTH_LITERAL"
      + " TOK_INTERVAL_DAY_TIME_LITERAL TOK_STRINGLITERALSEQUENCE"
      + " TOK_BOOLEAN TOK_TINYINT TOK_SMALLINT TOK_INT TOK_BIGINT TOK_FLOAT TOK_DOUBLE TOK_DECIMAL TOK_STRING TOK_CHAR"
      + " TOK_VARCHAR TOK_BINARY TOK_DATE TOK_TIMESTAMP TOK_INTERVAL_YEAR_MONTH TOK_INTERVAL_DAY_TIME"
      + " Identifier StringLiteral IntegralLiteral NumberLiteral Number EQUAL EQUAL_NS NOTEQUAL LESSTHAN GREATERTHAN"
      + " LESSTHANOREQUALTO GREATERTHANOREQUALTO PLUS MINUS STAR DIVIDE DIV MOD AMPERSAND BITWISEOR BITWISEXOR TILDE"
      + " CONCATENATE DOT LSQUARE KW_AND KW_OR KW_NOT KW_LIKE KW_RLIKE KW_REGEXP KW_IN KW_EXISTS KW_ANY KW_SOME KW_ALL"
      + " KW_TRUE KW_FALSE KW_PRECEDING KW_FOLLOWING KW_CURRENT KW_UNBOUNDED KW_IS KW_NULL");
  /** How the administrator gives customers their rights; it reads no table. */
  static final Set RIGHTS = words(
      "TOK_SHOW_SET_ROLE TOK_SET_ROLE TOK_SHOW_ROLES TOK_SHOW_GRANT TOK_SHOW_ROLE_GRANT TOK_SHOW_ROLE_PRINCIPALS"
      + " TOK_CREATEROLE TOK_DROPROLE TOK_GRANT TOK_REVOKE TOK_GRANT_ROLE TOK_REVOKE_ROLE");
  static final Map NAMES = names();
  /** Marks the statement of this thread as refused here, for its line in the log. */
  static final ThreadLocal REFUSED = new ThreadLocal();

  @Override
  public ASTNode preAnalyze(HiveSemanticAnalyzerHookContext context, ASTNode tree) throws SemanticException {
    Configuration conf = context.getConf();
    String kind = name(tree);
    if (isAdministrator(conf) && RIGHTS.contains(kind)) {
      return tree;
    }
    Set functions = words(conf.get(FUNCTIONS, ""));
    if (kind.equals("TOK_QUERY")) {
      query(tree, functions);
    } else if (kind.equals("TOK_EXPLAIN")) { // with no word such as EXTENDED, which names folders
      only(tree, "TOK_QUERY");
      query(child(tree, 0), functions);
    } else if (kind.equals("TOK_SWITCHDATABASE")) {
      only(tree, "Identifier");
      if (!text(child(tree, 0)).equals("default")) { // it is empty, and clients choose it when they connect
        own(text(child(tree, 0)));
      }
    } else if (kind.equals("TOK_SHOWTABLES") || kind.equals("TOK_SHOWVIEWS") || kind.equals("TOK_SHOWCOLUMNS")) {
      show(tree);
    } else if (kind.equals("TOK_DESCTABLE")) { // with no word such as FORMATTED, which names folders
      only(tree, "TOK_TABTYPE");
      only(child(tree, 0), "TOK_TABNAME");
      table(child(child(tree, 0), 0));
    } else if (!kind.equals("TOK_SHOWDATABASES")) { // Names leaves the own one
      throw refused("this statement");
    }
    return tree;
  }

  /** A node of a query and all below it. */
  private static void query(ASTNode node, Set functions) throws SemanticException {
    String kind = name(node);
    if (kind.equals("TOK_TABNAME")) {
      table(node);
      return;
    }
    int first = 0;
    if (kind.equals("TOK_FUNCTION") || kind.equals("TOK_FUNCTIONDI") || kind.equals("TOK_FUNCTIONSTAR")) {
      if (!name(child(node, 0)).startsWith("TOK_")) { // else it is the type of a CAST
        String function = text(child(node, 0));
        if (!functions.contains(function)) {
          throw refused("the function " + function);
        }
        first = 1;
      }
    } else if (!QUERY.contains(kind)) {
      throw refused("this form of a query (" + kind + ")");
    }
    if (kind.equals("TOK_DIR")) { // where a result goes: to the client, and into no folder
      only(node, "TOK_TMP_FILE");
    }
    for (int i = first; i < node.getChildCount(); i++) {
      query(child(node, i), functions);
    }
  }

  /** SHOW TABLES and the like: each table and each database that it names must be one's own. */
  private static void show(ASTNode node) throws SemanticException {
    boolean isNamed = false;
    for (int i = 0; i < node.getChildCount(); i++) {
      ASTNode part = child(node, i);
      String kind = name(part);
      if (kind.equals("TOK_TABNAME")) {
        table(part);
        isNamed = true;
      } else if (kind.equals("Identifier")) {
        own(text(part));
        isNamed = true;
      } else if (kind.equals("TOK_FROM")) {
        for (int j = 0; j < part.getChildCount(); j++) {
          own(text(child(part, j)));
          isNamed = true;
        }
      } else if (!kind.equals("StringLiteral") && !kind.equals("KW_LIKE")) {
        throw refused("this statement");
      }
    }
    if (!isNamed) {
      own(SessionState.get().getCurrentDatabase());
    }
  }

  /** A table, or the name of a common table expression: without a database it is in that of the session. */
  private static void table(ASTNode node) throws SemanticException {
    for (int i = 0; i < node.getChildCount(); i++) {
      if (i == 2 || !text(child(node, i)).matches("\\w+")) { // Hive takes `other.table` in quotes apart again
        throw refused("this name of a table");
      }
    }
    own(node.getChildCount() == 2 ? text(child(node, 0)) : SessionState.get().getCurrentDatabase());
  }

  private static void own(String database) throws SemanticException {
    if (!databases().contains(database.toLowerCase(Locale.ROOT))) {
      throw refused("a table or database that is not yours");
    }
  }

  private static void only(ASTNode node, String kind) throws SemanticException {
    if (node.getChildCount() != 1 || !name(child(node, 0)).equals(kind)) {
      throw refused("this form of the statement");
    }
  }

  private static SemanticException refused(String subject) {
    REFUSED.set(Boolean.TRUE);
    return new SemanticException("Not allowed at the customers' door: " + subject + " (docs/customers.md)");
  }

  private static ASTNode child(ASTNode node, int place) {
    return (ASTNode) node.getChild(place);
  }

  /** What Hive's grammar calls a node; its parser has a constant per name. */
  private static String name(ASTNode node) {
    return (String) NAMES.get(Integer.valueOf(node.getType()));
  }

  private static Map names() {
    Map names = new HashMap();
    Field[] fields = HiveParser.class.getFields();
    for (int i = 0; i < fields.length; i++) {
      if (fields[i].getType() == int.class && Modifier.isStatic(fields[i].getModifiers())) {
        try {
          names.put(fields[i].get(null), fields[i].getName());
        } catch (IllegalAccessException error) {
          throw new IllegalStateException(error);
        }
      }
    }
    return names;
  }

  private static String text(ASTNode node) {
    return BaseSemanticAnalyzer.unescapeIdentifier(node.getText()).toLowerCase(Locale.ROOT);
  }

  static Set words(String text) {
    return new HashSet(Arrays.asList(text.trim().split("[ ,]+")));
  }

  /** The databases of the session's user: the names of its roles. */
  static Set databases() {
    Set names = new HashSet();
    SessionState session = SessionState.get();
    if (session != null) {
      try {
        names.addAll(session.getAuthorizerV2().getCurrentRoleNames());
      } catch (Exception error) {
        throw new IllegalStateException("the roles of the user cannot be read", error);
      }
    }
    names.removeAll(words("public admin default ops raw flat marts candidate staging customers"));
    return names;
  }

  static boolean isAdministrator(Configuration conf) {
    SessionState session = SessionState.get();
    return session != null && conf.get(ADMIN, "").equals(session.getUserName());
  }

  /**
   * Who a session's user is, as SessionStateUserAuthenticator; loaded before a session takes settings of its client.
   * Among these are properties of the whole server (set:system:...), which HiveServer2 lets anybody change.
   */
  public static class User extends SessionStateUserAuthenticator {
    static {
      System.setProperties(new Fixed(System.getProperties()));
    }
  }

  /** The properties of the server, which sessions cannot change. */
  private static class Fixed extends Properties {
    Fixed(Properties properties) {
      putAll(properties);
    }

    @Override
    public synchronized Object setProperty(String name, String value) {
      StackTraceElement[] callers = Thread.currentThread().getStackTrace();
      for (int i = 0; i < callers.length; i++) {
        if (callers[i].getClassName().equals(SetProcessor.class.getName())) {
          throw new SecurityException("Not allowed at the customers' door: a property of the server");
        }
      }
      return super.setProperty(name, value);
    }
  }

  /** What a session sees of the metastore, by SHOW and by the calls of a client: its own database. */
  public static class Names extends DefaultMetaStoreFilterHookImpl {
    private final Configuration conf;

    public Names(Configuration conf) {
      super(conf);
      this.conf = conf;
    }

    private boolean isSeen(String database) {
      return isAdministrator(conf) || databases().contains(database.toLowerCase(Locale.ROOT));
    }

    /** A view of the own database reads which release is published; no statement can name that view. */
    private boolean isRead(Table table) {
      return isSeen(table.getDbName()) || table.getDbName().equals("ops") && table.getTableName().equals("published");
    }

    /** Whether it is no table such as attempts_v1, which its view reads and nobody else can. */
    private static boolean isView(String name) {
      return !name.matches(".*_v[0-9]+");
    }

    @Override
    public List filterDatabases(List names) {
      List seen = new ArrayList();
      for (int i = 0; i < names.size(); i++) {
        if (isSeen((String) names.get(i))) {
          seen.add(names.get(i));
        }
      }
      return seen;
    }

    @Override
    public Database filterDatabase(Database database) throws NoSuchObjectException {
      if (!isSeen(database.getName()) && !words("default ops").contains(database.getName())) {
        throw new NoSuchObjectException("There is no such database");
      }
      return database;
    }

    @Override
    public List filterTableNames(String catalog, String database, List names) {
      List seen = new ArrayList();
      for (int i = 0; isSeen(database) && i < names.size(); i++) {
        if (isView((String) names.get(i))) {
          seen.add(names.get(i));
        }
      }
      return seen;
    }

    @Override
    public List filterTableMetas(String catalog, String database, List tables) {
      return filterTableMetas(tables);
    }

    @Override
    public List filterTableMetas(List tables) {
      List seen = new ArrayList();
      for (int i = 0; i < tables.size(); i++) {
        TableMeta table = (TableMeta) tables.get(i);
        if (isSeen(table.getDbName()) && isView(table.getTableName())) {
          seen.add(table);
        }
      }
      return seen;
    }

    @Override
    public Table filterTable(Table table) throws NoSuchObjectException {
      if (!isRead(table)) {
        throw new NoSuchObjectException("There is no such table");
      }
      return table;
    }

    @Override
    public List filterTables(List tables) {
      List seen = new ArrayList();
      for (int i = 0; i < tables.size(); i++) {
        Table table = (Table) tables.get(i);
        if (isSeen(table.getDbName()) && isView(table.getTableName())) {
          seen.add(table);
        }
      }
      return seen;
    }

    @Override
    public List filterPartitions(List partitions) {
      List seen = new ArrayList();
      for (int i = 0; i < partitions.size(); i++) {
        if (isSeen(((Partition) partitions.get(i)).getDbName())) {
          seen.add(partitions.get(i));
        }
      }
      return seen;
    }

    @Override
    public Partition filterPartition(Partition partition) throws NoSuchObjectException {
      if (!isSeen(partition.getDbName())) {
        throw new NoSuchObjectException("There is no such partition");
      }
      return partition;
    }

    @Override
    public List filterPartitionNames(String catalog, String database, String table, List names) {
      return isSeen(database) ? names : new ArrayList();
    }

    @Override
    public List filterDataConnectors(List names) {
      return new ArrayList();
    }
  }

  /** Writes a line of JSON per statement: who, when, from where, what and how it ended; nothing of its result. */
  public static class Log implements QueryLifeTimeHookWithParseHooks {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final DateTimeFormatter TIME =
        DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);
    private final Instant begin = Instant.now();

    @Override
    public void beforeParse(QueryLifeTimeHookContext context) {
      REFUSED.remove();
    }

    @Override
    public void afterParse(QueryLifeTimeHookContext context, boolean hasError) {
      if (hasError) {
        write(context, "failed");
      }
    }

    @Override
    public void beforeCompile(QueryLifeTimeHookContext context) {
    }

    @Override
    public void afterCompile(QueryLifeTimeHookContext context, boolean hasError) {
      if (hasError) {
        write(context, REFUSED.get() == null ? "failed" : "refused");
      }
    }

    @Override
    public void beforeExecution(QueryLifeTimeHookContext context) {
    }

    @Override
    public void afterExecution(QueryLifeTimeHookContext context, boolean hasError) {
      write(context, hasError ? "failed" : "succeeded");
    }

    private void write(QueryLifeTimeHookContext context, String outcome) {
      SessionState session = SessionState.get();
      Map line = new LinkedHashMap();
      line.put("started_at", TIME.format(begin));
      line.put("user_name", session == null ? null : session.getUserName());
      line.put("client_address", session == null ? null : session.getUserIpAddress());
      line.put("session_id", session == null ? null : session.getSessionId());
      line.put("statement_text", context.getCommand());
      line.put("outcome", outcome);
      line.put("seconds", Double.valueOf((Instant.now().toEpochMilli() - begin.toEpochMilli()) / 1000.0));
      append(context.getHiveConf().get(LOG), line);
    }

    private static synchronized void append(String path, Map line) {
      try {
        byte[] bytes = (JSON.writeValueAsString(line) + "\n").getBytes(StandardCharsets.UTF_8);
        Files.write(Paths.get(path, new String[0]), bytes,
            new OpenOption[] {StandardOpenOption.CREATE, StandardOpenOption.APPEND});
      } catch (IOException error) {
        throw new IllegalStateException("a statement cannot be logged", error); // nothing runs unlogged
      }
    }
  }
}
