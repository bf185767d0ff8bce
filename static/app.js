// The front page: forms, live table, state of the lab. Each part is a file of its own under js/.
import * as act from "./js/act.js";
import * as compare from "./js/compare.js";
import * as forms from "./js/forms.js";
import { showHealth, showStream } from "./js/health.js";
import * as race from "./js/race.js";
import { follow } from "./js/stream.js";
import * as table from "./js/table.js";

table.start();
forms.start(table.apply);
race.start(table.apply);
compare.start();
act.start((task) => table.apply([task]));
follow({
  tasks({ tasks, counts }) {
    table.apply(tasks);
    table.showCounts(counts);
    race.apply(tasks);
    compare.refresh();
  },
  health: showHealth,
  reset() {
    table.refreshSoon();
    compare.refresh();
  },
  live: showStream,
});
