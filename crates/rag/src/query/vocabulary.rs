//! Word lists for telling tickers and company names from plain English.

/// Legal forms and share classes: no part of what people call a company.
#[rustfmt::skip]
pub(super) const LEGAL: &[&str] = &[
    "inc", "incorporated", "corp", "corporation", "co", "company", "companies", "ltd", "limited",
    "plc", "llc", "lp", "sa", "ag", "nv", "se", "spa", "group", "holdings", "holding", "com",
    "and", "stores", "trust", "adr", "ads", "new", "the",
];

/// First words of many companies' names: never an alias alone.
#[rustfmt::skip]
pub(super) const GENERIC: &[&str] = &[
    "general", "american", "america", "united", "international", "first", "bank", "national",
    "global", "north", "south", "east", "west", "western", "eastern", "northern", "southern",
    "royal", "standard", "federal", "central", "great", "black", "green", "blue", "home", "best",
    "dollar", "public", "state", "universal", "texas", "york", "canadian", "china", "british",
    "energy", "capital", "digital", "advanced", "applied", "mid", "pacific", "atlantic", "old",
    "data", "health", "real", "smart", "super", "united",
];

/// Names of companies that are also everyday words.
#[rustfmt::skip]
pub(super) const NAME_WORDS: &[&str] = &[
    "target", "gap", "visa", "shell", "ford", "block", "square", "snap", "zoom", "box", "unity",
    "match", "chase", "carnival", "progressive", "discover", "nationwide", "guess", "express",
    "chase", "crown", "ball", "dover", "regions", "sprint", "amazon", "micron", "vale", "oracle",
    "alphabet", "meta", "coach", "five", "polaris", "genius", "dominion", "principal",
    "travelers", "fortune", "signature", "sunrise", "summit", "pioneer", "frontier", "liberty",
    "southern", "viper", "raven", "falcon", "harbor", "beacon",
];

/// Function words beyond the stop words: lower case, they are never tickers.
#[rustfmt::skip]
pub(super) const FUNCTION: &[&str] = &[
    "now", "new", "one", "two", "see", "say", "go", "may", "might", "must", "well", "ever",
    "even", "us", "big", "good", "bad", "day", "today", "any", "next", "last", "let", "like",
    "make", "much", "many", "news", "move", "moves", "stock", "best", "real", "open", "low",
    "high", "rise", "fall", "drop", "jump", "gap",
];

/// What stands before a noun, and not before a ticker; "the aapl chart" is of one.
pub(super) const DETERMINERS: &[&str] = &["a", "an", "no", "some", "every", "each", "another"];

/// English words that are, or look like, tickers.
#[rustfmt::skip]
pub(super) const ENGLISH: &[&str] = &[
    "ace", "act", "ago", "aid", "aim", "air", "alb", "alex", "ally", "amp", "ant", "apt", "arc",
    "are", "arm", "art", "ask", "bad", "bag", "ball", "bank", "bar", "base", "bath", "bee",
    "best", "bet", "big", "bill", "bit", "blue", "boat", "bold", "book", "boom", "boot", "box",
    "boy", "brew", "bud", "bull", "burn", "buy", "cake", "call", "calm", "camp", "can", "car",
    "card", "care", "cars", "cart", "case", "cash", "cat", "chef", "city", "clean", "close",
    "coal", "cold", "come", "cook", "cool", "core", "corn", "cost", "cow", "crew", "cube", "cup",
    "cut", "dare", "data", "date", "day", "deal", "deck", "den", "dig", "dish", "dog", "door",
    "duo", "earn", "ease", "east", "easy", "eat", "edge", "edit", "else", "end", "era", "ever",
    "eye", "face", "fact", "fair", "fan", "farm", "fast", "fat", "feel", "file", "fit", "five",
    "fix", "flex", "flow", "fly", "fold", "form", "fox", "free", "fun", "fund", "gain", "game",
    "gap", "gas", "gem", "gene", "get", "giga", "gold", "good", "grab", "grow", "guts", "hack",
    "hear", "heat", "help", "high", "hit", "home", "hope", "hot", "hub", "hut", "ice", "idea",
    "info", "inn", "iron", "jack", "job", "joint", "joy", "jump", "just", "key", "kids", "kind",
    "king", "land", "lake", "late", "lead", "leaf", "life", "like", "line", "link", "live",
    "loan", "lot", "love", "low", "luck", "luv", "mail", "main", "man", "map", "mark", "mass",
    "mat", "max", "may", "meet", "met", "mind", "mini", "mint", "mod", "more", "most", "move",
    "name", "neo", "net", "new", "news", "nice", "nine", "now", "oil", "old", "one", "open",
    "our", "out", "own", "pack", "page", "park", "pass", "path", "pay", "peak", "pen", "pets",
    "pick", "pine", "pipe", "play", "plug", "plus", "pool", "pop", "port", "post", "pot", "pro",
    "pump", "quad", "race", "rail", "rain", "rare", "rate", "read", "real", "red", "rent", "rest",
    "rich", "ride", "rise", "road", "rock", "root", "rose", "run", "safe", "sail", "sale", "salt",
    "sand", "save", "say", "sea", "seat", "see", "self", "sell", "ship", "shop", "show", "sign",
    "site", "six", "size", "sky", "slow", "smart", "snap", "snow", "soft", "sole", "solo", "son",
    "spin", "spot", "star", "stay", "stem", "step", "stop", "sun", "sure", "swim", "tap", "tax",
    "team", "tech", "tell", "ten", "test", "tile", "time", "tip", "top", "town", "toy", "trip",
    "true", "try", "turn", "two", "type", "unit", "use", "van", "via", "view", "wait", "walk",
    "wall", "war", "wash", "wave", "way", "web", "week", "well", "west", "wind", "wing", "wire",
    "army", "baby", "back", "band", "beam", "bear", "beat", "belt", "bike", "bird", "blow", "body",
    "bomb", "bone", "born", "boss", "bowl", "cafe", "cell", "chip", "clay", "club", "code", "coin",
    "cope", "copy", "crop", "dark", "debt", "deep", "desk", "diet", "dirt", "dock", "down", "draw",
    "dust", "duty", "farm", "fear", "feed", "film", "find", "fire", "firm", "fish", "flag", "flat",
    "food", "foot", "fuel", "full", "gate", "gift", "girl", "give", "goal", "hair", "half", "hall",
    "hand", "hard", "head", "hill", "hold", "hole", "hour", "hurt", "item", "jazz", "jury", "kite",
    "knee", "lack", "lamp", "lane", "laws", "lens", "limb", "lion", "list", "load", "lock", "loss",
    "mask", "meal", "meat", "milk", "mill", "mine", "moon", "neck", "nest", "nose", "note", "oven",
    "pact", "pain", "pair", "palm", "part", "peat", "plan", "pork", "pull", "push", "rice", "ring",
    "rise", "risk", "role", "roof", "room", "rule", "rush", "sack", "seal", "seed", "shed", "shoe",
    "silk", "skin", "soap", "soil", "song", "soup", "suit", "tail", "talk", "tank", "tape", "task",
    "term", "text", "tide", "tire", "tool", "tour", "tree", "vote", "wage", "ward", "warm", "wine",
    "wise", "wish", "wolf", "wood", "wool", "word", "work", "world", "year", "yes", "zip", "zone",
];
